"""`glidn studio`: a page in the browser about videos of your own. docs/studio.md says more."""
