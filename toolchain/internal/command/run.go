package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
)

// grace is how long a cancelled command has to end by itself after SIGTERM.
const grace = 5 * time.Second

// run runs one command line with the inputs in state and keeps there what it printed.
func run(ctx context.Context, command string, state *State) error {
	cmd := newCmd(ctx, command, state)
	var stdout, stderr, both bytes.Buffer
	log := &lineLogger{log: p.GetLogger(ctx).InfoStatus}
	var lock sync.Mutex
	cmd.Stdout = &lockedWriter{&lock, io.MultiWriter(writers(state, "stdout", &stdout, &both, log)...)}
	cmd.Stderr = &lockedWriter{&lock, io.MultiWriter(writers(state, "stderr", &stderr, &both, log)...)}
	err := cmd.Run()
	if ctx.Err() != nil {
		signalGroup(cmd, syscall.SIGKILL) // what is left of it after the grace
	}
	log.flush()
	if err != nil {
		return fmt.Errorf("%w: running %q:\n%s", err, command, both.String())
	}
	state.Stdout = strings.TrimSuffix(stdout.String(), "\n")
	state.Stderr = strings.TrimSuffix(stderr.String(), "\n")
	return nil
}

// newCmd makes the process to start. It leads its own process group, so that a cancelled command takes the programs
// that it started with it.
func newCmd(ctx context.Context, command string, state *State) *exec.Cmd {
	args := []string{"/bin/sh", "-c"}
	if state.Interpreter != nil && len(*state.Interpreter) > 0 {
		args = *state.Interpreter
	}
	cmd := exec.CommandContext(ctx, args[0], append(args[1:len(args):len(args)], command)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return signalGroup(cmd, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	cmd.Env = environment(state)
	if state.Dir != nil {
		cmd.Dir = *state.Dir
	}
	if state.Stdin != nil {
		cmd.Stdin = strings.NewReader(*state.Stdin)
	}
	return cmd
}

func signalGroup(cmd *exec.Cmd, signal syscall.Signal) error {
	if cmd.Process == nil {
		return os.ErrProcessDone
	}
	return syscall.Kill(-cmd.Process.Pid, signal)
}

// environment adds the resource's own variables, and what its last run printed, to those of this process.
func environment(state *State) []string {
	env := os.Environ()
	if state.Environment != nil {
		for name, value := range *state.Environment {
			env = append(env, name+"="+value)
		}
	}
	if state.AddPreviousOutputInEnv != nil && !*state.AddPreviousOutputInEnv {
		return env
	}
	if state.Stdout != "" {
		env = append(env, "PULUMI_COMMAND_STDOUT="+state.Stdout)
	}
	if state.Stderr != "" {
		env = append(env, "PULUMI_COMMAND_STDERR="+state.Stderr)
	}
	return env
}

// writers are the places that one stream goes to: its own buffer, the text of a failure, and the log if it is wanted there.
func writers(state *State, stream string, own, both io.Writer, log io.Writer) []io.Writer {
	logging := "stdoutAndStderr"
	if state.Logging != nil {
		logging = *state.Logging
	}
	if logging == stream || logging == "stdoutAndStderr" {
		return []io.Writer{own, both, log}
	}
	return []io.Writer{own, both}
}

type lockedWriter struct {
	lock   *sync.Mutex
	writer io.Writer
}

func (w *lockedWriter) Write(text []byte) (int, error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.writer.Write(text)
}

// lineLogger logs whole lines as they arrive.
type lineLogger struct {
	log  func(string)
	rest []byte
}

func (l *lineLogger) Write(text []byte) (int, error) {
	l.rest = append(l.rest, text...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(text), nil
		}
		l.log(strings.TrimSuffix(string(line), "\r"))
		l.rest = rest
	}
}

func (l *lineLogger) flush() {
	if len(l.rest) > 0 {
		l.log(string(l.rest))
		l.rest = nil
	}
}
