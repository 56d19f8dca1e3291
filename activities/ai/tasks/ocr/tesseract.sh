#!/bin/sh
# What pytesseract starts, which puts nothing before a program's name: Tesseract in a cage of its own, so that
# it ends when the process that asked for it does.
exec "$CAGE_PYTHON" -I -S "$CAGE_LAUNCHER" "$PPID" "$CAGE" "$CAGE_PROGRAM" "$@"
