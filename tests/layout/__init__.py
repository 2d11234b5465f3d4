"""What the folders and files of the project look like: rules of the design that no other tool checks."""
