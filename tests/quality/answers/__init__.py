"""Do shown answers hold what their askers need? `python -m tests.quality.answers` tells."""
