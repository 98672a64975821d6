@echo off
rem Double-click to build the environment: makes .venv and installs latentlab into it.
cd /d "%~dp0"
set PYTHONUTF8=1
where py >nul 2>nul && (set PY=py -3) || (set PY=python)
%PY% -c "import sys; sys.exit(sys.version_info < (3, 11))" || (echo latentlab needs Python 3.11 or later. & pause & exit /b 2)
if not exist .venv\Scripts\python.exe %PY% -m venv .venv || (echo .venv could not be made. & pause & exit /b 1)
echo Installing latentlab and what it needs: some minutes the first time ...
.venv\Scripts\python -m pip install --quiet -r requirements.txt || (echo The installation failed; see above. & pause & exit /b 1)
echo Ready. Double-click lab.bat for the lab, launch.bat for the studio.
pause
