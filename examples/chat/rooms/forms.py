"""What people may type into the pages."""

from django import forms


class RoomForm(forms.Form):
    """Names a room that is entered, and made if it is not there yet."""

    slug = forms.SlugField(
        label="Room",
        max_length=40,
        error_messages={"invalid": "A room's name has letters, digits, hyphens and underscores only."},
    )

    def clean_slug(self) -> str:
        """Names that differ only in case would be two rooms by accident."""
        return str(self.cleaned_data["slug"]).lower()
