"""What goes between broker and clients: frames, buffers, the directory where they meet."""
