"""How steps reach devices and processes: jit, pmap, meshes."""
