"""A slow engine written from the simulation contract alone: the other opinion in tests, never imported by the product."""
