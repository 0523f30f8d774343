"""Lines as an ideal camera would give them: flat field, and rows of equal travel."""
