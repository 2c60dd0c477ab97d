"""What is measured: each scenario warms up once, then measures."""
