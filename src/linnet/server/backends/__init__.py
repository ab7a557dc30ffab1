"""Who provides the ports: one package per engine, none knowing another."""
