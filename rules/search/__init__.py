"""How texts are split into what is looked for, and how a search is found in them."""
