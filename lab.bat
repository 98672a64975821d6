@echo off
rem Double-click to train AE, VAE, GAN and VAE to GAN on handwritten digits (some minutes) and open the page that shows them.
rem A second time it keeps what is finished, and goes on where it was stopped.
cd /d "%~dp0"
set PYTHONUTF8=1
if not exist .venv\Scripts\latentlab.exe (echo Double-click build.bat first. & pause & exit /b 2)
.venv\Scripts\latentlab lab || (echo The lab ended; see above. & pause & exit /b 1)
start "" runs\lab\lab.html
