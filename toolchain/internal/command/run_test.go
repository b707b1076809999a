package command

import (
	"strings"
	"testing"
)

func TestLoggingChoosesStreamsLineByLine(t *testing.T) {
	for logging, want := range map[string]string{"stdout": "o", "stderr": "e", "none": "", "stdoutAndStderr": "o e"} {
		var lines []string
		log := &lineLogger{log: func(line string) { lines = append(lines, line) }}
		state := &State{Inputs: Inputs{Logging: &logging}}
		for _, stream := range []struct{ name, text string }{{"stdout", "o\n"}, {"stderr", "e"}} {
			for _, writer := range writers(state, stream.name, &strings.Builder{}, &strings.Builder{}, log) {
				writer.Write([]byte(stream.text))
			}
		}
		log.flush()
		if got := strings.Join(lines, " "); got != want {
			t.Errorf("%s: expected %q, found %q", logging, want, got)
		}
	}
}
