#!/usr/bin/env zsh
# What zsh makes of a typed line: an interactive zsh in a terminal of its own reads the program's completion
# script, gets the line and a tab, and tells what its line holds then.
# Usage: complete.zsh NERFIT LINE
emulate -R zsh
zmodload zsh/zpty || exit 2
folder=$(mktemp -d)
trap 'rm -rf $folder' EXIT
$1 completion zsh >$folder/_nerfit
cat >$folder/.zshrc <<END
PS1=; autoload -Uz compinit; compinit -u -d $folder/dump
path=(${1:h} \$path); source $folder/_nerfit
show() { print -r -- "\$BUFFER" >$folder/line; mv $folder/line $folder/shown; zle kill-whole-line }
zle -N show; bindkey '^I' complete-word; bindkey '^X' show
touch $folder/ready
END
export ZDOTDIR=$folder
zpty shell zsh -i
wait_for() { # file
    repeat 600; do
        [[ -e $1 ]] && return
        zpty -rt shell >/dev/null # so that it never waits for its terminal
        sleep 0.1
    done
    print -u2 "zsh did not answer"
    exit 1
}
wait_for $folder/ready
zpty -wn shell $2$'\t'$'\x18'
wait_for $folder/shown
cat $folder/shown
zpty -d shell
