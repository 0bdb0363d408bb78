"""How Sphinx makes the pages: ``sphinx-build -W docs OUT``."""

from __future__ import annotations

import scoop_ft

project = "scoop-ft"
author = "the scoop-ft authors"
release = version = scoop_ft.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "contents"
html_theme = "furo"
html_title = "scoop-ft"

# Links from page to page name headings as they do in a repository's viewer.
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = False
napoleon_use_rtype = False
