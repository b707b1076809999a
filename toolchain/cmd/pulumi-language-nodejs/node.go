package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// nodeCommand is the process that runs the program in Node.js by the Pulumi SDK's own entry point.
func nodeCommand(ctx context.Context, req *pulumirpc.RunRequest, engineAddress string) (*exec.Cmd, error) {
	entry, err := sdkEntry(req.Info.GetProgramDirectory())
	if err != nil {
		return nil, err
	}
	config, err := configVariables(req)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "node", append(nodeOptions(req), append([]string{entry}, arguments(req, engineAddress)...)...)...)
	cmd.Dir = req.Pwd
	cmd.Env = append(os.Environ(), config...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	return cmd, nil
}

// sdkEntry finds the SDK's entry point in the node_modules of the program's directory or of one above it.
func sdkEntry(directory string) (string, error) {
	for at := directory; ; at = filepath.Dir(at) {
		entry := filepath.Join(at, "node_modules", "@pulumi", "pulumi", "cmd", "run", "index.js")
		if _, err := os.Stat(entry); err == nil {
			return entry, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("expected @pulumi/pulumi in node_modules of %s or above, found none: run `npm ci` there", directory)
		}
	}
}

// nodeOptions are the words of the project's `nodeargs` runtime option.
func nodeOptions(req *pulumirpc.RunRequest) []string {
	return strings.Fields(req.Info.GetOptions().GetFields()["nodeargs"].GetStringValue())
}

func arguments(req *pulumirpc.RunRequest, engineAddress string) []string {
	args := []string{
		"--monitor=" + req.MonitorAddress,
		"--engine=" + engineAddress,
		"--organization=" + req.Organization,
		"--project=" + req.Project,
		"--root-directory=" + req.Info.GetRootDirectory(),
		"--stack=" + req.Stack,
		"--pwd=" + req.Pwd,
		"--parallel=" + strconv.Itoa(int(req.Parallel)),
	}
	if req.DryRun {
		args = append(args, "--dry-run")
	}
	return append(append(args, req.Info.GetEntryPoint()), req.Args...)
}

// configVariables carry the stack's configuration, as JSON that the SDK reads; empty is `{}` and `[]`, never null.
func configVariables(req *pulumirpc.RunRequest) ([]string, error) {
	values, secrets := req.Config, req.ConfigSecretKeys
	if values == nil {
		values = map[string]string{}
	}
	if secrets == nil {
		secrets = []string{}
	}
	config, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(secrets)
	return []string{"PULUMI_CONFIG=" + string(config), "PULUMI_CONFIG_SECRET_KEYS=" + string(keys)}, err
}
