# Completion of avout(1) for fish. What there is to complete is asked of `avout complete`.

function __avout_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in (command $program complete -- $words "$current" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :commands
                __fish_complete_command
            case '*'
                echo -- $line
        end
    end
end
complete -c avout -f -a '(__avout_complete)'
