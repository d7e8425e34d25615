"""Pages of virtual networks: thin. They parse, ask who may, call a service and render."""
