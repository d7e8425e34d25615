"""How style sheets and scripts are stored for the browser: hashed names, compressed once."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class CompressedAssets(CompressedManifestStaticFilesStorage):
    """Whitenoise's storage, without following the source maps that vendored files mention.

    The maps are not shipped (they are larger than the files), and Django refuses to hash a file that refers
    to one that does not exist; the vendored files themselves stay as their authors published them.
    """

    patterns = tuple(
        (glob, tuple(rule for rule in rules if "sourceMappingURL" not in str(rule)))
        for glob, rules in CompressedManifestStaticFilesStorage.patterns
    )
