"""Everything bought: one package for each thing that can be swapped. An adapter knows the Canon and one vendor."""
