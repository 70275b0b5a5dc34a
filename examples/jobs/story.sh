#!/bin/sh
# Tells a story about mart.squares. What a job does may be done twice for a slot, when its end was not seen, so the file is named
# after the slot and appears at once.
set -eu
mkdir -p stories
page=stories/$(echo "$FLYTT_SLOT" | tr : -).html
echo "<h1>$1</h1><p>Run $FLYTT_RUN, attempt $FLYTT_ATTEMPT, because of: $FLYTT_TRIGGER</p>" > "$page.new"
mv "$page.new" "$page"
echo "wrote $page"
