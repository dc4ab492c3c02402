# Restart an Ollama that is blocked or stopped, and see that it writes again.
Set-Location (Join-Path $PSScriptRoot "..")
$env:PYTHONUTF8 = 1
$python = ".venv\Scripts\python.exe"
if (-not (Test-Path $python)) { $python = "python" }
& $python cli.py doctor --fix @args
exit $LASTEXITCODE
