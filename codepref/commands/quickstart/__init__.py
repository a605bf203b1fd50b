"""`codepref quickstart`: the experiment (`command`), what is true in it (`truth`), and its page (`page`)."""
