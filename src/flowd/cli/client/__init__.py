"""How commands reach the REST API: over the network, or of an app in this very process."""
