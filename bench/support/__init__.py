"""What bench_engine.py is made of. `data` needs numpy only, so that the peers' programs can use it too."""
