"""What has another name now: found, asked for, and written so that its rows stay."""
