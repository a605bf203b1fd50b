"""`codepref quickstart`: the experiment (`command`), what is read of its run (`facts`), and its page (`page`)."""
