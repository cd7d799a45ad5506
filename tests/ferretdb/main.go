// Command ferretdb serves the MongoDB protocol for tests: FerretDB, with SQLite underneath.
//
//	ferretdb DIRECTORY PORT
//	ferretdb DIRECTORY PORT USER PASSWORD CERTIFICATE KEY
//
// Serves on 127.0.0.1:PORT with its files in DIRECTORY until it is ended, by a signal or with the
// process that started it. In the second form with TLS, as the only member of the replica set rs0, and
// to that user alone, whose password is checked by SCRAM. FerretDB's public package knows neither; what
// it is made of does, and is within reach because this module's name stands below FerretDB's.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
	"github.com/FerretDB/FerretDB/internal/clientconn"
	"github.com/FerretDB/FerretDB/internal/clientconn/connmetrics"
	"github.com/FerretDB/FerretDB/internal/handler/registry"
	"github.com/FerretDB/FerretDB/internal/util/password"
	"github.com/FerretDB/FerretDB/internal/util/state"
)

func serve(ctx context.Context, directory, address string, logger *slog.Logger) error {
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: address},
		Logger:    logger,
		Handler:   "sqlite",
		SQLiteURL: "file:" + directory + "/",
	})
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

func serveGuarded(ctx context.Context, directory, address string, guard []string, logger *slog.Logger) error {
	provider, err := state.NewProvider("")
	if err != nil {
		return err
	}
	metrics := connmetrics.NewListenerMetrics()
	handler, closeBackend, err := registry.NewHandler("sqlite", &registry.NewHandlerOpts{
		Logger:        logger,
		ConnMetrics:   metrics.ConnMetrics,
		StateProvider: provider,
		TCPHost:       address,
		ReplSetName:   "rs0",
		SetupDatabase: "admin",
		SetupUsername: guard[0],
		SetupPassword: password.WrapPassword(guard[1]),
		SetupTimeout:  20 * time.Second,
		SQLiteURL:     "file:" + directory + "/",
		TestOpts:      registry.TestOpts{EnableNewAuth: true, BatchSize: 100},
	})
	if err != nil {
		return err
	}
	defer closeBackend()
	listener, err := clientconn.Listen(&clientconn.NewListenerOpts{
		TLS:         address,
		TLSCertFile: guard[2],
		TLSKeyFile:  guard[3],
		Mode:        clientconn.NormalMode,
		Metrics:     metrics,
		Handler:     handler,
		Logger:      logger,
	})
	if err != nil {
		return err
	}
	listener.Run(ctx)
	return nil
}

func main() {
	if len(os.Args) != 3 && len(os.Args) != 7 {
		fmt.Fprintln(os.Stderr, "usage: ferretdb DIRECTORY PORT [USER PASSWORD CERTIFICATE KEY]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	address := "127.0.0.1:" + os.Args[2]
	var err error
	if len(os.Args) == 3 {
		err = serve(ctx, os.Args[1], address, logger)
	} else {
		err = serveGuarded(ctx, os.Args[1], address, os.Args[3:], logger)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ferretdb:", err)
		os.Exit(1)
	}
}
