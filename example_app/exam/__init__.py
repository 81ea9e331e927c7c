"""Questions of an exam, each with the choices to answer it."""
