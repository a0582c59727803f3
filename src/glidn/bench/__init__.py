"""How fast this machine is: the engines of a network against each other, and the parts."""
