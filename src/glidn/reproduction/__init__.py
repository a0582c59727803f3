"""The paper's tables, trained anew and set beside the paper's figures."""
