"""Lists that partners keep: read, understood, compared, and told what is wrong with them."""
