#!/bin/sh
# Make the scaler's package for Lambda: ours, and what it imports, as locked. From the project's folder:
#   deploy/aws/scaler.sh scaler.zip
set -eu
out=$(realpath "${1:?the name of the package}")
python=${PYTHON:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
needed="annotated-types boto3 botocore jmespath nexus-rpc protobuf pydantic pydantic-core python-dateutil s3transfer six
sqlalchemy temporalio typing-extensions typing-inspection urllib3"
for name in $needed; do
    awk -v name="$name" '/^[^ ]/ { ours = index($0, name "==") == 1 } ours' requirements.lock
done > "$folder/needed.lock"
"$python" -m pip install --quiet --target "$folder/package" --no-deps --require-hashes --only-binary :all: \
    --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform any --implementation cp --python-version 3.12 \
    --requirement "$folder/needed.lock"
cp -r clients contracts intake rules workers "$folder/package"
find "$folder/package" -name __pycache__ -prune -exec rm -rf {} +
rm -f "$out"
(cd "$folder/package" && "$python" -m zipfile -c "$out" ./*)
du -k "$out" "$folder/package" | sed "s|$folder/||" | grep -E 'zip$|package$'
