"""glidn: human-object interactions in video, by local and global graph attention.

An implementation of GLIDN (Almushyti & Li, "Distillation of Human-Object Interaction Contexts
for Action Recognition").
"""

__version__ = "0.1.0"
