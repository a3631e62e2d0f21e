"""Video: clips of films in files, in folders of frames and in arrays."""
