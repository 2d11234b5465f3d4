# Sourced: a temporary folder with the three ASGI servers, gone at the end.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q granian==2.8.9 uvicorn==0.54.0 hypercorn==0.18.0 h11==0.16.0 2>/dev/null
cd "$folder"
export PYTHONPATH="$here/shared:$folder" PYTHONDONTWRITEBYTECODE=1
