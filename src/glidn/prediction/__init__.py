"""What a trained run says of videos that it never saw."""
