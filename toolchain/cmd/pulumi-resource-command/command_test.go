package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"pgstack/toolchain/internal/enginetest"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

type props = enginetest.Props

var text = enginetest.Text

func begin(t *testing.T) *enginetest.Life {
	t.Helper()
	provider, err := newProvider()
	if err != nil {
		t.Fatal(err)
	}
	return enginetest.Begin(t, enginetest.Serve(t, "command", version, provider, nil), "command:local:Command")
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func TestPreviewRunsNothingAndKnowsNoOutput(t *testing.T) {
	l, file := begin(t), filepath.Join(t.TempDir(), "ran")
	seen := l.Preview(props{"create": text("touch " + file)})
	if !seen.Get("stdout").IsComputed() || !seen.Get("stderr").IsComputed() {
		t.Error("expected unknown outputs, found", seen)
	}
	if exists(file) {
		t.Error("preview ran the command")
	}
}

func TestCreateGivesItsInputsToTheCommandAndKeepsWhatItPrints(t *testing.T) {
	l, dir := begin(t), t.TempDir()
	l.MustUp(props{
		"create": text(`cat; printf '%s %s\n\n' "$A" "$(pwd)"; echo oops >&2`), "stdin": text("in|"), "dir": text(dir),
		"environment": property.New(map[string]property.Value{"A": text("a 'b'")}),
	})
	l.Expect("stdout", "in|a 'b' "+dir+"\n")
	l.Expect("stderr", "oops")
}

func TestUpdateRunsUpdateOrElseCreateWithTheLastOutputAtHand(t *testing.T) {
	l := begin(t)
	create := text(`echo "create $PULUMI_COMMAND_STDOUT"`)
	l.MustUp(props{"create": create})
	if seen := l.Preview(props{"create": create, "stdin": text("1")}); !seen.Get("stdout").IsComputed() {
		t.Error("expected an unknown stdout at preview of an update, found", seen.Get("stdout"))
	}
	l.MustUp(props{"create": create, "stdin": text("1")})
	l.Expect("stdout", "create create ")
	l.MustUp(props{"create": create, "update": text("echo updated")})
	l.Expect("stdout", "updated")
	l.MustUp(props{"create": create, "addPreviousOutputInEnv": enginetest.Flag(false)})
	l.Expect("stdout", "create ")
}

func TestWithoutCommandsAResourceIsARecordOfItsInputs(t *testing.T) {
	l := begin(t)
	l.MustUp(props{"stdin": text("a record"), "delete": text("true")})
	l.Expect("stdin", "a record")
	l.Expect("stdout", "")
	if !l.Refresh() {
		t.Error("a refresh lost it")
	}
	l.Expect("stdin", "a record")
}

// The SDK's own `replaceOnChanges: ["triggers[*]"]` makes the engine replace where an element changes.
func TestEachChangedInputIsNamed(t *testing.T) {
	l := begin(t)
	l.MustUp(props{"create": text("true"), "triggers": enginetest.List("1")})
	for _, test := range []struct {
		name string
		in   props
		kind rpc.PropertyDiff_Kind
	}{
		{"triggers[0]", props{"create": text("true"), "triggers": enginetest.List("2")}, rpc.PropertyDiff_UPDATE},
		{"stdin", props{"create": text("true"), "triggers": enginetest.List("1"), "stdin": text("x")}, rpc.PropertyDiff_ADD},
		{"create", props{"create": text("false"), "triggers": enginetest.List("1")}, rpc.PropertyDiff_UPDATE},
	} {
		diff := l.Diff(test.in)
		if found, ok := diff.DetailedDiff[test.name]; !ok || found.Kind != test.kind || len(diff.DetailedDiff) != 1 {
			t.Errorf("%s: expected %s, found %v", test.name, test.kind, diff.DetailedDiff)
		}
	}
}

func TestDeleteRunsWithTheInputsInState(t *testing.T) {
	l, file := begin(t), filepath.Join(t.TempDir(), "deleted")
	l.MustUp(props{"delete": text("cat > " + file), "stdin": text("from state")})
	if err := l.Delete(); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(file); string(content) != "from state" {
		t.Errorf("found %q", content)
	}
}

func TestAFailureNamesTheCommandItsStatusAndWhatItPrinted(t *testing.T) {
	err := begin(t).Up(props{"create": text("echo out; echo why >&2; exit 3"), "logging": text("none")})
	for _, part := range []string{"exit status 3", "echo out;", "out\n", "why\n"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("expected %q in %v", part, err)
		}
	}
}

func TestInterpreterTakesTheCommandAsItsLastArgument(t *testing.T) {
	l := begin(t)
	l.MustUp(props{"create": text("hello world"), "interpreter": enginetest.List("/bin/echo", "-n", "said")})
	l.Expect("stdout", "said hello world")
}

func TestSecretInputsStaySecret(t *testing.T) {
	l := begin(t)
	hidden := map[string]property.Value{"PGPASSWORD": text("hidden").WithSecret(true)}
	l.MustUp(props{"create": text("true"), "environment": property.New(hidden)})
	if !l.State.Get("environment").HasSecrets() {
		t.Error("the environment lost its secret")
	}
}

func TestWhatOnlyTheOfficialPluginDoesIsRefused(t *testing.T) {
	unsupported := props{"assetPaths": enginetest.List("*"), "logging": text("loud")}
	for name, value := range unsupported {
		if _, failures := begin(t).Check(props{name: value}); len(failures) == 0 || failures[0].Property != name {
			t.Errorf("%s: found %v", name, failures)
		}
	}
}

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

func TestCancelEndsTheCommandAndWhatItStarted(t *testing.T) {
	l, file := begin(t), filepath.Join(t.TempDir(), "late")
	failed := make(chan error)
	go func() { failed <- l.Up(props{"create": text("(sleep 1; touch " + file + ") & wait")}) }()
	time.Sleep(200 * time.Millisecond)
	if _, err := l.Server.Cancel(context.Background(), &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("expected the cancelled command to fail")
	}
	time.Sleep(1200 * time.Millisecond)
	if exists(file) {
		t.Error("a process that the command started outlived it")
	}
}
