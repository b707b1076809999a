import { ExitCode, RefusedError } from "../../runner/util/errors.ts";
import type { StackCommand } from "../command.ts";

/** What a shell is told: it asks `pgstack complete-words …` at each press of Tab. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_pgstack() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" complete-words "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _pgstack pgstack ./pgstack`,
  zsh: `#compdef pgstack
_pgstack() {
  local -a found=(\${(f)"$("\${words[1]}" complete-words "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -a found || _files
}
compdef _pgstack pgstack ./pgstack`,
  fish: `complete -c pgstack -f -a '(set -l all (commandline -opc) (commandline -ct); $all[1] complete-words $all[2..-1] 2>/dev/null)'`,
};

const completion: StackCommand = {
  summary: 'completion for a shell: eval "$(./pgstack completion bash)"',
  usage: "completion bash|zsh|fish",
  flags: {},
  run: async ([shell = ""], { print }) => {
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
    if (script === undefined) throw new RefusedError(`Expected bash, zsh or fish, found "${shell}".`);
    print(script);
    return ExitCode.done;
  },
};

export default completion;
