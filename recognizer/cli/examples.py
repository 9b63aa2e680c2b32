"""Calls of every command that work in the folder of the project: they end its help, and its page of the manual."""

# A group is shown by calls of its commands.
EXAMPLES = {
    "live": (
        "recognizer live",
        "recognizer live --speaker anna --words yes,no",
        "recognizer live --from-file audio_samples/seven_slt_0.wav --fast --json",
    ),
    "batch": (
        "recognizer batch audio_samples",
        "recognizer batch audio_samples/seven_*.wav --words two,seven",
        "recognizer batch audio_samples --csv > answers.csv",
    ),
    "transcribe": (
        "recognizer transcribe audio_samples/seven_slt_0.wav",
        "recognizer transcribe audio_samples/seven_slt_0.wav --json",
        "recognizer transcribe audio_samples/seven_slt_0.wav --srt",
    ),
    "serve": ("recognizer serve --wyoming tcp://127.0.0.1:10300 --wake-word seven",),
    "check": (
        "recognizer check audio_samples",
        "recognizer check audio_samples --layout '{word}_{speaker}_{take}' --json",
    ),
    "train": (
        "recognizer train audio_samples --name mine --mixtures 1",
        "recognizer train audio_samples --output mine.npz --mixtures 1 --augment pace",
        "recognizer batch audio_samples/seven_slt_0.wav --model mine",
    ),
    "record": (
        "recognizer record yes no stop",
        "recognizer record yes no --takes 5 --speaker anna --output mine",
    ),
    "cut": (
        "recognizer cut audio_samples/seven_slt_0.wav --words seven",
        "recognizer cut audio_samples/nine_ked_0.wav --words 9 --output takes",
    ),
    "enroll": (
        "recognizer enroll anna",
        "recognizer enroll slt --from audio_samples --voice slt",
        "recognizer batch audio_samples/seven_slt_0.wav --speaker slt",
    ),
    "evaluate": (
        "recognizer evaluate audio_samples",
        "recognizer evaluate audio_samples --threshold strict --json",
    ),
    "align": (
        "recognizer align audio_samples/seven_slt_0.wav",
        "recognizer align audio_samples/seven_slt_0.wav --textgrid seven.TextGrid",
    ),
    "export": (
        "recognizer export digits --htk digits.mmf",
        "recognizer export digits audio_samples --parameters features",
    ),
    "import": ("recognizer export digits --htk digits.mmf", "recognizer import digits.mmf --output copy.npz"),
    "devices": ("recognizer devices", "recognizer devices --test --device 0"),
    "models": ("recognizer models list", "recognizer models default commands"),
    "models list": ("recognizer models list", "recognizer models list --json"),
    "models show": (
        "recognizer models show digits",
        "recognizer models show commands --plot model.png --word go",
        "recognizer models show digits --html digits.html",
    ),
    "models compare": (
        "recognizer train audio_samples --output mine.npz --mixtures 1",
        "recognizer models compare digits mine.npz audio_samples",
    ),
    "models add": (
        "recognizer train audio_samples --output mine.npz --mixtures 1",
        "recognizer models add mine.npz --name kitchen",
    ),
    "models rename": (
        "recognizer train audio_samples --name kitchen --mixtures 1",
        "recognizer models rename kitchen bathroom",
    ),
    "models remove": (
        "recognizer train audio_samples --name kitchen --mixtures 1",
        "recognizer models remove kitchen",
    ),
    "models default": ("recognizer models default", "recognizer models default commands"),
    "speakers": ("recognizer speakers list", "recognizer speakers show anna"),
    "speakers list": ("recognizer speakers list", "recognizer speakers list --json"),
    "speakers show": ("recognizer speakers show anna", "recognizer speakers show anna@cold --json"),
    "speakers rename": ("recognizer speakers rename anna@cold anna@flu", "recognizer speakers rename anna ann"),
    "speakers remove": ("recognizer speakers remove anna", "recognizer speakers remove anna@cold --yes"),
    "speakers export": ("recognizer speakers export anna anna.zip",),
    "speakers import": (
        "recognizer speakers export anna anna.zip",
        "recognizer speakers remove anna --yes",
        "recognizer speakers import anna.zip",
    ),
    "speakers refresh": ("recognizer speakers refresh", "recognizer speakers refresh anna --model digits"),
    "speakers forget": ("recognizer speakers forget anna six/1.wav",),
    "config": ("recognizer config", "recognizer config --json"),
    "completion": (
        "recognizer completion bash >> ~/.bashrc",
        "recognizer completion zsh >> ~/.zshrc",
        "recognizer completion fish > ~/.config/fish/completions/recognizer.fish",
    ),
}
