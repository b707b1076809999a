package plugintest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgstack/toolchain/internal/command"

	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func beginCommand(t *testing.T) *life {
	t.Helper()
	provider, err := command.New()
	if err != nil {
		t.Fatal(err)
	}
	return beginOf(t, serveFor(t, "command", provider, nil), "command:local:Command")
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func TestPreviewRunsNothingAndKnowsNoOutput(t *testing.T) {
	l, file := beginCommand(t), filepath.Join(t.TempDir(), "ran")
	seen := l.Preview(props{"create": txt("touch " + file)})
	if !seen.Get("stdout").IsComputed() || !seen.Get("stderr").IsComputed() {
		t.Error("expected unknown outputs, found", seen)
	}
	if exists(file) {
		t.Error("preview ran the command")
	}
}

func TestCreateGivesItsInputsToTheCommandAndKeepsWhatItPrints(t *testing.T) {
	l, dir := beginCommand(t), t.TempDir()
	l.MustUp(props{
		"create": txt(`cat; printf '%s %s\n\n' "$A" "$(pwd)"; echo oops >&2`), "stdin": txt("in|"), "dir": txt(dir),
		"environment": property.New(map[string]property.Value{"A": txt("a 'b'")}),
	})
	l.Expect("stdout", "in|a 'b' "+dir+"\n")
	l.Expect("stderr", "oops")
}

func TestUpdateRunsUpdateOrElseCreateWithTheLastOutputAtHand(t *testing.T) {
	l := beginCommand(t)
	create := txt(`echo "create $PULUMI_COMMAND_STDOUT"`)
	l.MustUp(props{"create": create})
	if seen := l.Preview(props{"create": create, "stdin": txt("1")}); !seen.Get("stdout").IsComputed() {
		t.Error("expected an unknown stdout at preview of an update, found", seen.Get("stdout"))
	}
	l.MustUp(props{"create": create, "stdin": txt("1")})
	l.Expect("stdout", "create create ")
	l.MustUp(props{"create": create, "update": txt("echo updated")})
	l.Expect("stdout", "updated")
	l.MustUp(props{"create": create, "addPreviousOutputInEnv": flag(false)})
	l.Expect("stdout", "create ")
}

func TestWithoutCommandsAResourceIsARecordOfItsInputs(t *testing.T) {
	l := beginCommand(t)
	l.MustUp(props{"stdin": txt("a record"), "delete": txt("true")})
	l.Expect("stdin", "a record")
	l.Expect("stdout", "")
	if !l.Refresh() {
		t.Error("a refresh lost it")
	}
	l.Expect("stdin", "a record")
}

// The SDK's own `replaceOnChanges: ["triggers[*]"]` makes the engine replace where an element changes.
func TestEachChangedInputIsNamed(t *testing.T) {
	l := beginCommand(t)
	l.MustUp(props{"create": txt("true"), "triggers": strs("1")})
	for _, test := range []struct {
		name string
		in   props
		kind rpc.PropertyDiff_Kind
	}{
		{"triggers[0]", props{"create": txt("true"), "triggers": strs("2")}, rpc.PropertyDiff_UPDATE},
		{"stdin", props{"create": txt("true"), "triggers": strs("1"), "stdin": txt("x")}, rpc.PropertyDiff_ADD},
		{"create", props{"create": txt("false"), "triggers": strs("1")}, rpc.PropertyDiff_UPDATE},
	} {
		diff := l.Diff(test.in)
		if found, ok := diff.DetailedDiff[test.name]; !ok || found.Kind != test.kind || len(diff.DetailedDiff) != 1 {
			t.Errorf("%s: expected %s, found %v", test.name, test.kind, diff.DetailedDiff)
		}
	}
}

func TestDeleteRunsWithTheInputsInState(t *testing.T) {
	l, file := beginCommand(t), filepath.Join(t.TempDir(), "deleted")
	l.MustUp(props{"delete": txt("cat > " + file), "stdin": txt("from state")})
	if err := l.Delete(); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(file); string(content) != "from state" {
		t.Errorf("found %q", content)
	}
}

func TestAFailureNamesTheCommandItsStatusAndWhatItPrinted(t *testing.T) {
	err := beginCommand(t).Up(props{"create": txt("echo out; echo why >&2; exit 3"), "logging": txt("none")})
	for _, part := range []string{"exit status 3", "echo out;", "out\n", "why\n"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("expected %q in %v", part, err)
		}
	}
}

func TestInterpreterTakesTheCommandAsItsLastArgument(t *testing.T) {
	l := beginCommand(t)
	l.MustUp(props{"create": txt("hello world"), "interpreter": strs("/bin/echo", "-n", "said")})
	l.Expect("stdout", "said hello world")
}

func TestSecretInputsStaySecret(t *testing.T) {
	l := beginCommand(t)
	hidden := map[string]property.Value{"PGPASSWORD": txt("hidden").WithSecret(true)}
	l.MustUp(props{"create": txt("true"), "environment": property.New(hidden)})
	if !l.State.Get("environment").HasSecrets() {
		t.Error("the environment lost its secret")
	}
}

func TestWhatOnlyTheOfficialPluginDoesIsRefused(t *testing.T) {
	unsupported := props{"assetPaths": strs("*"), "logging": txt("loud")}
	for name, value := range unsupported {
		if _, failures := beginCommand(t).Check(props{name: value}); len(failures) == 0 || failures[0].Property != name {
			t.Errorf("%s: found %v", name, failures)
		}
	}
}

func TestCancelEndsTheCommandAndWhatItStarted(t *testing.T) {
	l, file := beginCommand(t), filepath.Join(t.TempDir(), "late")
	failed := make(chan error)
	go func() { failed <- l.Up(props{"create": txt("(sleep 1; touch " + file + ") & wait")}) }()
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
