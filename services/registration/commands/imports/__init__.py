"""Partners' lists: taken in, checked row by row, applied as chosen, and compared with the last."""
