"""Reading and judging `flux dump` archives without Flux; the catalogue of archives."""
