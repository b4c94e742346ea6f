"""The graph: mentions -> graph.json and mentions.parquet, a bucket of drugs at a time, and back."""
