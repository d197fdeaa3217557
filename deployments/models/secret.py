"""A text that is encrypted in the database, with the keys of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from encrypted_fields.fields import EncryptedCharField

if TYPE_CHECKING:
    from django.db.models import CharField as SecretField
else:

    class SecretField(EncryptedCharField):
        """Keeps an empty text empty, which its parent would make NULL."""

        def get_prep_value(self, value):
            return super().get_prep_value(value) or ("" if value == "" else None)

        def deconstruct(self):
            """As its parent: to the database they are one."""
            name, _, args, kwargs = super().deconstruct()
            return name, "encrypted_fields.fields.EncryptedCharField", args, kwargs


__all__ = ["SecretField"]
