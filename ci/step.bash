# Steps of a script that have to end in a certain way; each prints a row of a table. Sourced.
# shellcheck shell=bash

# Ends the script with 1 once it is through, if a step went wrong.
status=0

# Runs a step, which has to end with CODE and to say WORDS.
step() { # CODE WORDS ABOUT COMMAND…
  local code=0 due=$1 words=$2 about=$3 begun=$SECONDS said
  shift 3
  said=$("$@" 2>&1) || code=$?
  if [[ $code -ne $due || $said != *"$words"* ]]; then
    printf '%s\n' "$0: $about ended with $code, not $due, or did not say '$words':" "$said" >&2
    # Read by whoever sources this.
    # shellcheck disable=SC2034
    status=1
    about="**$about**"
  fi
  echo "| $about | $code | $((SECONDS - begun)) | $words |"
}
