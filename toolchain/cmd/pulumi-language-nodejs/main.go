// Command pulumi-language-nodejs runs a Pulumi program in Node.js: the part of the official language host that pgstack
// uses, for networks where the official one cannot be downloaded. Node runs TypeScript by itself from 22.18 on.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("expected the engine's address as the last argument, found none: this program is started by pulumi"))
	}
	if err := serve(os.Args[len(os.Args)-1]); err != nil {
		fail(err)
	}
}

// engineCheck is how often the host looks whether its engine is still there: one that was killed cannot say so.
const engineCheck = 5 * time.Second

// serve answers the engine until it sends SIGINT or SIGTERM, or is gone; the running program then ends with it.
func serve(engineAddress string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := rpcutil.Healthcheck(ctx, engineAddress, engineCheck, stop); err != nil {
		return err
	}
	cancel := make(chan bool)
	context.AfterFunc(ctx, func() { close(cancel) })
	host := newLanguageHost(ctx, engineAddress)
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, host)
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d\n", handle.Port)
	return <-handle.Done
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
	os.Exit(1)
}
