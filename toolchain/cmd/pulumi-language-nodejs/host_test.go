package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// program makes a project with a place for the SDK, and puts a `node` on PATH that runs a shell script instead.
func program(t *testing.T, script string) *pulumirpc.RunRequest {
	t.Helper()
	root := t.TempDir()
	entry := filepath.Join(root, "node_modules", "@pulumi", "pulumi", "cmd", "run", "index.js")
	for file, content := range map[string]string{entry: "", filepath.Join(root, "bin", "node"): "#!/bin/sh\n" + script} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", filepath.Join(root, "bin")+":"+os.Getenv("PATH"))
	below := filepath.Join(root, "below")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	return &pulumirpc.RunRequest{
		Pwd: root, Project: "p", Stack: "s", Organization: "o", MonitorAddress: "m:1", Parallel: 4, DryRun: true,
		Info: &pulumirpc.ProgramInfo{RootDirectory: root, ProgramDirectory: below, EntryPoint: "index.ts"},
	}
}

func TestRunGivesNodeTheSDKsArgumentsAndTheConfiguration(t *testing.T) {
	req := program(t, `printf '%s\n' "$@" "$PULUMI_CONFIG" "$PULUMI_CONFIG_SECRET_KEYS" > seen`)
	req.Info.Options, _ = structpb.NewStruct(map[string]any{"nodeargs": "--disable-warning=X --y"})
	if _, err := newLanguageHost(t.Context(), "e:2").Run(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	seen, _ := os.ReadFile(filepath.Join(req.Pwd, "seen"))
	want := []string{
		"--disable-warning=X", "--y", filepath.Join(req.Pwd, "node_modules/@pulumi/pulumi/cmd/run/index.js"),
		"--monitor=m:1", "--engine=e:2", "--organization=o", "--project=p", "--root-directory=" + req.Pwd, "--stack=s",
		"--pwd=" + req.Pwd, "--parallel=4", "--dry-run", "index.ts", "{}", "[]",
	}
	if got := strings.TrimSpace(string(seen)); got != strings.Join(want, "\n") {
		t.Errorf("found\n%s", got)
	}
}

func TestConfigurationIsJSON(t *testing.T) {
	variables, err := configVariables(&pulumirpc.RunRequest{
		Config: map[string]string{"a:b": `say "x"`}, ConfigSecretKeys: []string{"a:b"},
	})
	if err != nil || variables[0] != `PULUMI_CONFIG={"a:b":"say \"x\""}` || variables[1] != `PULUMI_CONFIG_SECRET_KEYS=["a:b"]` {
		t.Error(variables, err)
	}
}

func TestExitCodesSayWhoHasReportedTheError(t *testing.T) {
	for _, test := range []struct {
		script string
		bail   bool
		text   string
	}{{"exit 0", false, ""}, {"exit 32", true, ""}, {"exit 1", false, "exit status 1"}, {"kill -9 $$", false, "signal: killed"}} {
		response, err := newLanguageHost(t.Context(), "e").Run(t.Context(), program(t, test.script))
		if err != nil || response.Bail != test.bail || !strings.Contains(response.Error, test.text) || (response.Error == "") != (test.text == "") {
			t.Errorf("%s: found %v %v", test.script, response, err)
		}
	}
}

func TestCancelEndsTheProgram(t *testing.T) {
	req := program(t, "exec sleep 30")
	host := newLanguageHost(context.Background(), "e")
	time.AfterFunc(200*time.Millisecond, func() { host.Cancel(context.Background(), &emptypb.Empty{}) })
	start := time.Now()
	response, err := host.Run(t.Context(), req)
	if time.Since(start) > 5*time.Second || err == nil && response.Error == "" {
		t.Errorf("expected the program to end with an error at once, found %v %v after %s", response, err, time.Since(start))
	}
}

func TestAProjectWithoutTheSDKIsToldToInstallIt(t *testing.T) {
	req := program(t, "exit 0")
	req.Info.ProgramDirectory = "/"
	if _, err := newLanguageHost(t.Context(), "e").Run(t.Context(), req); err == nil || !strings.Contains(err.Error(), "npm ci") {
		t.Error("found", err)
	}
}
