"""What a page of the dashboard costs over a large metastore."""
