package main

import (
	"net"
	"testing"
	"time"
)

// An engine that was killed leaves an address at which nobody answers; the host must not outlive it.
func TestHostEndsWithItsEngine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := listener.Addr().String()
	listener.Close()

	ended := make(chan error, 1)
	go func() { ended <- serve(gone) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(3 * engineCheck):
		t.Fatalf("the host still runs %s after its engine ended", 3*engineCheck)
	}
}
