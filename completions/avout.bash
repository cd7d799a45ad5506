# Completion of avout(1) for bash. What there is to complete is asked of `avout complete`.
# shellcheck shell=bash

_avout()
{
    local rest=${COMP_LINE:0:COMP_POINT} words=() word gap i
    # bash takes words apart at colons and equal signs; where nothing was between them they are one.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        gap=
        while [[ $rest == [[:blank:]]* ]]; do
            rest=${rest:1}
            gap=1
        done
        word=${COMP_WORDS[i]}
        ((i < COMP_CWORD)) || word=$rest
        rest=${rest#"$word"}
        word=${word//[\"\'\\]/}
        if [[ $gap || ${#words[@]} == 0 ]]; then words+=("$word"); else words[${#words[@]} - 1]+=$word; fi
    done

    # What it takes for the word is what stands behind the last of these.
    local current=${words[${#words[@]} - 1]} before='' candidate
    [[ $current != *[:=]* ]] || before=${current%"${current##*[:=]}"}
    COMPREPLY=()
    while IFS= read -r candidate; do
        case $candidate in
        :files)
            compopt -o filenames 2>/dev/null
            while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
            ;;
        :commands)
            while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -c -- "$current")
            ;;
        *)
            candidate=${candidate%%$'\t'*}
            [[ $candidate != *[/:] ]] || compopt -o nospace 2>/dev/null
            printf -v word %q "${candidate#"$before"}"
            COMPREPLY+=("$word")
            ;;
        esac
    done < <("${1/#\~/$HOME}" complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _avout avout
