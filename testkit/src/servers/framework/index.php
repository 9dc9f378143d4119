<?php
switch ($_SERVER['REQUEST_URI']) {
    case '/echo':
        header('Content-Type: application/json');
        $names = array_keys(getallheaders());
        $body = json_decode(file_get_contents('php://input'));
        echo json_encode(['method' => $_SERVER['REQUEST_METHOD'], 'body' => $body, 'names' => $names]);
        break;
    case '/events':
        header('Content-Type: text/event-stream');
        // Debian's configuration has PHP collect what is written.
        while (ob_get_level() > 0) {
            ob_end_flush();
        }
        for ($number = 0; !connection_aborted(); $number++) {
            echo "data: $number\n\n";
            flush();
            usleep(20000);
        }
        break;
    case '/broken':
        throw new Exception('broken');
    case '/moved':
        header('Location: /there');
        break;
    case '/there':
        echo 'there';
        break;
    default:
        http_response_code(404);
        echo 'File not found.';
}
